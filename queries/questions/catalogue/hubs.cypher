// title = "The features that take part in most circuits"
// sentences = [
//   "hubs",
//   "which features are in most circuits?",
//   "features that take part in the most circuits",
//   "hub features of {models}",
//   "which units play a role in most circuits?",
//   "features in the largest number of circuits",
// ]
// needs = [["hub", "strong"], ["hub", "circuit"], ["hub", "feature"]]
// words = ["role", "feature", "use", "contain"]
// example = "which features are in most circuits?"
// requires = ["circuits"]
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in; none for all"
// [parameters.top]
// type = "integer"
// default = 20
// cues = ["first", "hub", "hubs"]
// help = "how many features at most"
// [columns]
// feature = "id of the feature"
// labels = "what people and measures call it"
// circuits = "how many circuits it takes part in"
// motifs = "their kinds"
// roles = "the parts it plays"
MATCH (f:Feature)-[b:MEMBER_OF]->(c:Circuit)
WHERE size($models) = 0 OR f.model IN $models
WITH f, count(DISTINCT c) AS circuits
ORDER BY circuits DESC, f.id LIMIT $top
RETURN f.id AS feature,
  COLLECT { MATCH (f)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
    RETURN DISTINCT l.text AS text ORDER BY text } AS labels,
  circuits,
  COLLECT { MATCH (f)-[:MEMBER_OF]->(d:Circuit) RETURN DISTINCT d.motif AS motif ORDER BY motif }
    AS motifs,
  COLLECT { MATCH (f)-[m:MEMBER_OF]->(:Circuit) RETURN DISTINCT m.role AS role ORDER BY role }
    AS roles
ORDER BY circuits DESC, feature
