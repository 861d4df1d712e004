// title = "Features that nobody has labelled, those of most circuits first"
// sentences = [
//   "features that nobody has labelled",
//   "which features are unlabelled?",
//   "unlabelled features of {models} by importance",
//   "which important features have no label?",
//   "what should be labelled next?",
//   "most important features without a label",
// ]
// needs = [["nobody", "unlabelled", "next", "not"], ["labelled", "unlabelled"], ["feature", "next"]]
// words = ["strong", "importance", "model", "importance"]
// example = "which features are unlabelled?"
// requires = ["circuits"]
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in; none for all"
// [parameters.top]
// type = "integer"
// default = 50
// cues = ["strong", "first", "feature"]
// help = "how many features at most"
// # What a tool measured is no label that somebody gave. A feature in no circuit is not listed.
// [columns]
// feature = "id of the feature"
// model = "its model"
// layer = "its layer"
// circuits = "how many circuits it takes part in: what counts as important here"
// roles = "the parts it plays"
// measured = "what tools say of it"
MATCH (f:Feature)-[b:MEMBER_OF]->(c:Circuit)
WHERE size($models) = 0 OR f.model IN $models
WITH f, count(DISTINCT c) AS circuits
WHERE NOT EXISTS {
  MATCH (f)<-[about:ANNOTATES WHERE about.role IS NULL]-(a:Annotation {kind: 'label', state: 'live'})
    -[:BY]->(w:Annotator) WHERE w.type <> 'tool' }
WITH f, circuits ORDER BY circuits DESC, coalesce(f.input_l1, 0) DESC, f.id LIMIT $top
RETURN f.id AS feature, f.model AS model, f.layer AS layer, circuits,
  COLLECT { MATCH (f)-[m:MEMBER_OF]->(:Circuit) RETURN DISTINCT m.role AS role ORDER BY role }
    AS roles,
  COLLECT { MATCH (f)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
    RETURN DISTINCT l.text AS text ORDER BY text } AS measured
ORDER BY circuits DESC, coalesce(f.input_l1, 0) DESC, feature
