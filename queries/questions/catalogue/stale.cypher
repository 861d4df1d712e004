// title = "Annotations that were made on other weights than those here"
// sentences = [
//   "stale annotations",
//   "which labels are stale?",
//   "outdated annotations in {models}",
//   "which annotations are outdated?",
//   "labels stale in {models}",
// ]
// needs = [["stale", "outdated"], ["labelled"]]
// words = ["model", "weight", "case", "made"]
// example = "which annotations are outdated?"
// requires = ["annotations"]
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in; none for all"
// [columns]
// annotation = "id of the annotation"
// kind = "label, role, claim or comment"
// text = "what it says"
// feature = "what it is about"
// said_by = "who says it"
// made_on = "fingerprint of the weights that were looked at"
// here = "fingerprint of the weights that are here"
MATCH (a:Annotation {state: 'live'})
WHERE a.fingerprint IS NOT NULL
MATCH (a)-[:ANNOTATES]->(f:Feature)
MATCH (m:Model {id: f.model})
WHERE a.fingerprint <> m.fingerprint AND (size($models) = 0 OR m.id IN $models)
RETURN a.id AS annotation, a.kind AS kind, a.text AS text, f.id AS feature,
  COLLECT { MATCH (a)-[:BY]->(w:Annotator) RETURN w.id AS id ORDER BY id } AS said_by,
  a.fingerprint AS made_on, m.fingerprint AS here
ORDER BY feature, annotation
