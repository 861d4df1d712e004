// title = "What was measured of a feature, with the nulls"
// sentences = [
//   "evidence for {feature}",
//   "what evidence is there about {feature}?",
//   "what was measured of {feature}?",
//   "measurements of {feature}",
//   "what do measurements say of {feature}?",
//   "what is known about the tuning of {feature}?",
// ]
// needs = [["evidence", "measured", "prefer"]]
// words = ["known", "prefer", "orientation", "feature"]
// example = "what was measured of inceptionv1/mixed4b:418?"
// requires = ["observations"]
// [parameters.feature]
// type = "feature"
// help = "the feature, as model/layer:unit"
// [columns]
// kind = "what was measured"
// role = "part of the feature in it"
// stance = "supports, refutes or neutral"
// value = "the measured value"
// null_mean = "mean of the same measure under the null"
// null_count = "number of draws from the null"
// p = "share of the null at or above the value"
// q = "p corrected for all that was tested"
// method = "name of the measure"
// version = "its version"
// evidence = "id of the evidence"
MATCH (:Feature {id: $feature})<-[r:ABOUT]-(e:Evidence)
RETURN e.kind AS kind, r.role AS role, e.stance AS stance, e.value AS value,
  e.null_mean AS null_mean, e.null_count AS null_count, e.p AS p, e.q AS q, e.method AS method,
  e.version AS version, e.id AS evidence
ORDER BY kind, role, evidence
