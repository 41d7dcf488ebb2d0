"""Fieldfare sells climate impact: tonnes of CO₂e, trees and projects, through an HTTP API."""

__version__ = "0.1.0"
