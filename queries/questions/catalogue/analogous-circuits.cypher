// title = "Circuits that have a counterpart in another model"
// sentences = [
//   "analogous circuits",
//   "which circuits are analogous across models?",
//   "circuits of {models} with counterparts in other models",
//   "which circuits have a counterpart in another network?",
//   "circuits that correspond across models",
//   "pairs of analogous circuits",
// ]
// needs = [["circuit"], ["analogous", "counterpart", "corresponds"]]
// words = ["model", "pair", "several", "role"]
// example = "which circuits are analogous across models?"
// requires = ["two-models", "circuits", "matches"]
// [parameters.models]
// type = "models"
// default = []
// help = "models of which either circuit must be; none for all"
// [parameters.motif]
// type = "motif"
// default = ""
// help = "kind of circuit, as in union; empty for all"
// [columns]
// motif = "kind of both circuits"
// circuit = "the one"
// model = "its model"
// counterpart = "the other"
// other_model = "its model"
// score = "similarity"
// null_mean = "mean score under the null"
// q = "share of such scores that the null explains"
MATCH (c:Circuit)-[r:ANALOGOUS_TO]->(d:Circuit)
WHERE r.q <= 0.05 AND ($motif = '' OR c.motif = $motif)
  AND (size($models) = 0 OR c.model IN $models OR d.model IN $models)
RETURN c.motif AS motif, c.id AS circuit, c.model AS model, d.id AS counterpart,
  d.model AS other_model, r.score AS score, r.null_mean AS null_mean, r.q AS q
ORDER BY motif, score DESC, circuit, counterpart
