"""The web app: what is likely, how sure that is, and how far to trust it. No TensorFlow in here."""
