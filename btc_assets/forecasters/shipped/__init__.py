"""Forecasters that come with the project, in the extra ``arena``: each a few lines over a kept library."""
