"""What every room shares: the model, nouns, verbs, dispatch, store, loop, client, errors. Imports nothing of ours."""
