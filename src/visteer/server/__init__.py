"""The server of the editor: a study's images, maps, edits and verdicts over HTTP, for one expert's browser."""
