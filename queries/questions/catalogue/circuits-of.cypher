// title = "The circuits that a feature takes part in"
// sentences = [
//   "circuits of {feature}",
//   "which circuits is {feature} in?",
//   "which circuits contain {feature}?",
//   "what circuits does {feature} take part in?",
//   "in which circuits does {feature} play a role?",
// ]
// needs = [["circuit"]]
// words = ["filed", "role", "share", "contain"]
// example = "which circuits is inceptionv1/mixed4b:418 in?"
// requires = ["circuits"]
// [parameters.feature]
// type = "feature"
// help = "the feature, as model/layer:unit"
// [columns]
// circuit = "id of the circuit"
// motif = "its kind"
// role = "the part that the feature plays"
// side = "1 or 2, where the motif has two sides"
// origin = "found by search, or published"
// score = "how well it fits the motif"
// claim = "what a published circuit is said to do"
// members = "number of members"
// group = "ties together the circuits of one target"
MATCH (:Feature {id: $feature})-[b:MEMBER_OF]->(c:Circuit)
RETURN c.id AS circuit, c.motif AS motif, b.role AS role, b.side AS side, c.origin AS origin,
  c.score AS score, c.claim AS claim,
  COUNT { MATCH (:Feature)-[:MEMBER_OF]->(c) } AS members, c.group AS group
ORDER BY motif, circuit, role, side
