"""The pages of contacts: the list, one person, merging, imports and exports."""
