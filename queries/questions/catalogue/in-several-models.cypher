// title = "Circuits that are found in several models"
// sentences = [
//   "circuits found in {at_least} models",
//   "which circuits are in at least {at_least} models?",
//   "circuits that are in several models",
//   "which circuits recur across models?",
//   "universal circuits",
// ]
// needs = [["circuit"], ["model", "recur", "universal"], ["several", "recur", "universal", "{integer}"]]
// words = ["several", "role"]
// example = "which circuits recur across models?"
// requires = ["two-models", "circuits", "matches"]
// [parameters.at_least]
// type = "integer"
// default = 2
// cues = ["model"]
// help = "how many models, its own counted"
// [parameters.motif]
// type = "motif"
// default = ""
// help = "kind of circuit, as in union; empty for all"
// # Found in another model: it has an analogous circuit there, by a match that beats its null.
// [columns]
// circuit = "id of the circuit"
// motif = "its kind"
// model = "its model"
// others = "the other models that have a counterpart"
// models = "how many models, its own counted"
// two_by_two = "models in the largest set that it is in, of which every two are analogous"
// score = "how well it fits the motif"
MATCH (c:Circuit)-[r:ANALOGOUS_TO]-(d:Circuit)
WHERE r.q <= 0.05 AND d.model <> c.model AND ($motif = '' OR c.motif = $motif)
WITH c, d.model AS other, max(coalesce(r.networks, 2)) AS networks ORDER BY other
WITH c, collect(other) AS others, max(networks) AS two_by_two
WHERE size(others) + 1 >= $at_least
RETURN c.id AS circuit, c.motif AS motif, c.model AS model, others, size(others) + 1 AS models,
  two_by_two, c.score AS score
ORDER BY models DESC, motif, coalesce(score, 0) DESC, circuit
