// title = "The units of the same layer that a unit and its inputs oppose, both ways"
// sentences = [
//   "reciprocal inhibition of {feature}",
//   "which units oppose {feature}?",
//   "which features are opposed to {feature}?",
//   "opponents of {feature}",
//   "which units compete with {feature}?",
// ]
// needs = [["oppose", "compete", "reciprocal"]]
// words = ["inhibit", "twin", "feature"]
// example = "which units oppose inceptionv1/mixed3b:379?"
// [parameters.feature]
// type = "feature"
// help = "the feature, as model/layer:unit"
// [parameters.strongest]
// type = "integer"
// default = 16
// cues = ["strong", "input"]
// help = "how many of the strongest inputs of either count"
// # Units of one layer have no weights to one another, so they inhibit each other through shared
// # inputs: one input excites the one and inhibits the other, another the other way round.
// [columns]
// opponent = "the other unit"
// labels = "what people call it"
// excites_this = "shared inputs that excite this unit and inhibit the other"
// excites_other = "shared inputs that inhibit this unit and excite the other"
// same_sign = "shared inputs that excite or inhibit both"
MATCH (t:Feature {id: $feature})<-[v:WEIGHT]-(s:Feature)
WHERE v.rank <= $strongest
WITH t, s, sum(v.sum) AS own
MATCH (s)-[w:WEIGHT]->(u:Feature)
WHERE w.rank <= $strongest AND u.id <> t.id AND u.layer = t.layer AND u.model = t.model
WITH u, s, own, sum(w.sum) AS theirs
WITH u, sum(CASE WHEN own > 0 AND theirs < 0 THEN 1 ELSE 0 END) AS excites_this,
  sum(CASE WHEN own < 0 AND theirs > 0 THEN 1 ELSE 0 END) AS excites_other,
  sum(CASE WHEN own * theirs > 0 THEN 1 ELSE 0 END) AS same_sign
WHERE excites_this > 0 AND excites_other > 0
RETURN u.id AS opponent,
  COLLECT { MATCH (u)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
    RETURN DISTINCT l.text AS text ORDER BY text } AS labels,
  excites_this, excites_other, same_sign
ORDER BY excites_this + excites_other - same_sign DESC, opponent
