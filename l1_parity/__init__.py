"""The one name that users import."""
