"""What pages are made of; knows no app."""
