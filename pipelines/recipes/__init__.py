"""The recipes that ship with tfelastic, one YAML file each."""
