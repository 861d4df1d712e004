// title = "How much weight the graph leaves out, layer by layer"
// sentences = [
//   "how much is unexplained?",
//   "how much weight is left out in each layer?",
//   "what share of the weights is missing from the graph?",
//   "how much of the mass is not kept by layer?",
//   "which layers are least covered?",
//   "what hides in the rest?",
//   "how much of {models} is unexplained?",
// ]
// needs = [["unexplained", "left_out", "missing", "covered", "hide", "rest"]]
// whole_network = true
// example = "how much weight is left out in each layer?"
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in; none for all"
// # Added up in whole billionths, a sum has the same last digit in every order and every store.
// [columns]
// model = "the model"
// layer = "the layer that the edges go into"
// features = "features in it that have inputs"
// edges = "nonzero edges into them in the whole network, or those published"
// input_l1 = "sum of |kernel| over those edges; empty where the whole network is not known"
// left_out_l1 = "part of it that the graph does not keep"
// share_l1 = "left_out_l1 / input_l1"
// share_l2_squared = "the same for squared kernel values"
MATCH (y:Layer) WHERE size($models) = 0 OR y.model IN $models
MATCH (y)<-[:IN_LAYER]-(f:Feature)
WHERE f.inputs > 0
WITH y, count(f) AS features, sum(f.inputs) AS edges, count(f.input_l1) AS known,
  sum(toInteger(round(f.input_l1 * 1000000000))) AS l1,
  sum(toInteger(round(f.left_out_l1 * 1000000000))) AS out_l1,
  sum(toInteger(round(f.input_l2_squared * 1000000000))) AS l2,
  sum(toInteger(round(f.left_out_l2_squared * 1000000000))) AS out_l2
WITH y, features, edges, known, l1 / 1000000000.0 AS l1, out_l1 / 1000000000.0 AS out_l1,
  l2 / 1000000000.0 AS l2, out_l2 / 1000000000.0 AS out_l2
RETURN y.model AS model, y.name AS layer, features, edges,
  CASE WHEN known > 0 THEN l1 END AS input_l1,
  CASE WHEN known > 0 THEN out_l1 END AS left_out_l1,
  CASE WHEN l1 > 0 THEN out_l1 / l1 END AS share_l1,
  CASE WHEN l2 > 0 THEN out_l2 / l2 END AS share_l2_squared
ORDER BY [model, y.position, layer]
