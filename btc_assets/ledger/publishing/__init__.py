"""Publish the newest record's hash where this machine cannot change it."""
