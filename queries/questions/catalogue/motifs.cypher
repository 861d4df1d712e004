// title = "How many circuits there are of each kind, with the best and worst evidence"
// sentences = [
//   "kinds of circuits",
//   "how many circuits of each kind are there?",
//   "which kinds of circuits are known?",
//   "count the circuits of {models} by kind",
//   "what kinds of circuits does {models} have?",
//   "circuits of each kind in {models}",
// ]
// needs = [["kind"], ["circuit"]]
// words = ["model", "known", "several"]
// example = "how many circuits of each kind are there?"
// requires = ["circuits"]
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in; none for all"
// [columns]
// motif = "kind of circuit"
// model = "the model"
// origin = "found by search, published, or told by a record"
// circuits = "how many"
// features = "features that take part in them"
// best_q = "smallest q of the evidence for one of them; empty without evidence"
// worst_q = "largest q"
MATCH (c:Circuit)
WHERE size($models) = 0 OR c.model IN $models
OPTIONAL MATCH (c)<-[:SUPPORTS]-(e:Evidence)
WITH c, min(e.q) AS q
OPTIONAL MATCH (c)<-[:MEMBER_OF]-(f:Feature)
WITH c.motif AS motif, c.model AS model, c.origin AS origin, count(DISTINCT c) AS circuits,
  count(DISTINCT f) AS features, min(q) AS best_q, max(q) AS worst_q
RETURN motif, model, origin, circuits, features, best_q, worst_q
ORDER BY motif, model, origin
