"""Pieces every app may use; knows no app."""
