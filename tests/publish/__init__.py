"""Tests of what reports say: questionnaires, durability, clinics beside each other, claims and methods."""
