// title = "What was loaded, searched and imported, when and by whom"
// sentences = [
//   "imports",
//   "what was imported?",
//   "where does the data come from?",
//   "provenance of {models}",
//   "history of this knowledge base",
//   "what was loaded and when?",
//   "when was {models} loaded?",
// ]
// needs = [["imported", "provenance", "history", "loaded", "come"]]
// words = ["model"]
// table = ["kind", "model", "source", "created"]
// example = "what was imported?"
// [parameters.models]
// type = "models"
// default = []
// help = "models that it is about; none for all, and for what is about no single one"
// [columns]
// kind = "load, find, match, annotate, ..."
// model = "model that it is about, where it is one"
// source = "what was read"
// by = "who imported it"
// created = "when, in UTC"
// tool = "name and version of the program"
// seconds = "how long it took"
// summary = "counts and settings, as JSON"
MATCH (i:Import)
WHERE size($models) = 0 OR i.model IN $models
RETURN i.kind AS kind, i.model AS model, i.source AS source, i.by AS by, i.created AS created,
  i.tool AS tool, i.seconds AS seconds, i.summary AS summary
ORDER BY coalesce(created, ''), kind, coalesce(model, ''), i.id
