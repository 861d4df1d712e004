// title = "Annotations that wait for a model, a circuit or another annotation"
// sentences = [
//   "pending annotations",
//   "which annotations are pending?",
//   "what do pending labels wait for?",
//   "annotations waiting for a model",
//   "what are annotations waiting for?",
// ]
// needs = [["pending", "waiting"], ["labelled"]]
// words = ["model", "circuit", "wait", "loaded", "missing"]
// example = "which annotations are pending?"
// requires = ["annotations"]
// [columns]
// awaiting = "what is not here: model, circuit or annotation"
// awaits = "its id"
// annotations = "how many annotations wait for it"
// said_by = "whose"
MATCH (a:Annotation {state: 'pending'})-[:BY]->(w:Annotator)
UNWIND coalesce(a.awaits, ['']) AS awaits
WITH a, w, awaits ORDER BY w.id
WITH a.awaiting AS awaiting, awaits, count(DISTINCT a.id) AS annotations,
  collect(DISTINCT w.id) AS said_by
RETURN awaiting, awaits, annotations, said_by
ORDER BY awaiting, annotations DESC, awaits
