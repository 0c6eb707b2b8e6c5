"""One engine a file, with one ``ENGINE``; found by being here (``launcher.engines.table``)."""
