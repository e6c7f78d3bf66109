"""The application: recipes in; a trained, exported, measured and reported elastic network out."""
