"""Reading the files that users hold: archives, spreadsheets, text and Stata files, in the layouts of their sources."""
