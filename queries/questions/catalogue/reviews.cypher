// title = "What reviewers say of annotations"
// sentences = [
//   "reviews",
//   "what do reviewers say?",
//   "which annotations were reviewed?",
//   "reviews of annotations in {models}",
//   "which labels were reviewed, and with what verdict?",
// ]
// needs = [["review"]]
// words = ["labelled", "model", "verdict", "say"]
// example = "which annotations were reviewed?"
// requires = ["reviews"]
// [parameters.models]
// type = "models"
// default = []
// help = "models whose features the annotations are about; none for all"
// [columns]
// annotation = "id of what is reviewed"
// text = "what it says"
// features = "what it is about"
// said_by = "who says it"
// verdict = "agree, disagree or unsure"
// reviewer = "who reviews it"
// comment = "what the reviewer writes"
// review = "id of the review"
MATCH (r:Annotation {kind: 'review', state: 'live'})-[:ANNOTATES]->(a:Annotation)
WITH r, a, COLLECT { MATCH (a)-[:ANNOTATES]->(f:Feature) RETURN f.id AS id ORDER BY id } AS features,
  COLLECT { MATCH (a)-[:ANNOTATES]->(g:Feature) RETURN DISTINCT g.model AS model } AS models
WHERE size($models) = 0 OR any(model IN models WHERE model IN $models)
RETURN a.id AS annotation, a.text AS text, features,
  head(COLLECT { MATCH (a)-[:BY]->(w:Annotator) RETURN w.id AS id ORDER BY id }) AS said_by,
  r.verdict AS verdict,
  head(COLLECT { MATCH (r)-[:BY]->(v:Annotator) RETURN v.id AS id ORDER BY id }) AS reviewer,
  r.text AS comment, r.id AS review
ORDER BY annotation, reviewer, review
