"""Tests of the stock monitors."""
