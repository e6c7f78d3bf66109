"""Android: the example app with a bundle in its assets, and the runtime that it is built with."""

from tflite_export._app.report import AppReport
from tflite_export._app.writing import app

__all__ = ["AppReport", "app"]
