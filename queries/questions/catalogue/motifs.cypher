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
WITH c, head(COLLECT { MATCH (e:Evidence)-[:SUPPORTS]->(c) RETURN e.q AS q ORDER BY q }) AS q
WITH c.motif AS motif, c.model AS model, c.origin AS origin, collect(c) AS them, min(q) AS best_q,
  max(q) AS worst_q
RETURN motif, model, origin, size(them) AS circuits,
  size(COLLECT { UNWIND them AS d MATCH (f:Feature)-[:MEMBER_OF]->(d) RETURN DISTINCT f.id AS id })
    AS features,
  best_q, worst_q
ORDER BY motif, model, origin
