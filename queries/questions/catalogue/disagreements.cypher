// title = "Where annotators disagree: labels, reviews, forks, contested ids"
// sentences = [
//   "where do people disagree?",
//   "which labels do annotators disagree about?",
//   "disagreements between labellers in {models}",
//   "where do labellers disagree?",
//   "where do raters contradict each other about {label}?",
//   "which features do people label differently?",
// ]
// needs = [["conflict", "differently"], ["people", "annotators", "labellers", "raters"]]
// words = ["labelled", "feature", "reviewers", "model", "layer", "where"]
// example = "where do people disagree?"
// requires = ["annotations"]
// [parameters.label]
// type = "label"
// default = ""
// help = "part of what is said, in any case; empty for all"
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in; none for all"
// [parameters.layers]
// type = "layers"
// default = []
// help = "layers to look in; none for all"
// [columns]
// kind = "labels (different concepts), review (somebody disagrees), fork (two edits of one), contested (one id, two statements)"
// target = "what it is about"
// model = "its model"
// said = "what each annotator says, side by side"
// annotators = "who speaks here"
// count = "how many different things are said (reviews: how many disagree)"
CALL () {
  MATCH (l:Label)<-[:USES]-(a:Annotation {kind: 'label', state: 'live'})-[r:ANNOTATES]->(f:Feature)
  WHERE r.role IS NULL AND a.records IS NOT NULL
    AND (size($models) = 0 OR f.model IN $models) AND (size($layers) = 0 OR f.layer IN $layers)
  MATCH (a)-[:BY]->(w:Annotator)
  WITH DISTINCT f, coalesce(l.concept, a.concept, l.text) AS concept, w.id AS who
  ORDER BY f.id, concept, who
  WITH f, collect(concept + ' — ' + who) AS said, collect(DISTINCT who) AS annotators,
    collect(DISTINCT concept) AS concepts
  WHERE size(said) < size(annotators) * size(concepts)
    AND ($label = '' OR any(c IN concepts WHERE toLower(c) CONTAINS toLower($label)))
  RETURN 0 AS place, 'labels' AS kind, f.id AS target, f.model AS model, said, annotators,
    size(concepts) AS count
  UNION ALL
  MATCH (v:Annotation {kind: 'review', state: 'live'})-[:ANNOTATES]->(a:Annotation {state: 'live'})
  MATCH (v)-[:BY]->(w:Annotator)
  WITH a, v, w ORDER BY v.verdict, w.id, v.id
  WITH a, collect(v.verdict + ' — ' + w.id) AS reviews, collect(DISTINCT w.id) AS reviewers,
    sum(CASE v.verdict WHEN 'disagree' THEN 1 ELSE 0 END) AS count
  WHERE count > 0 AND ($label = '' OR toLower(a.text) CONTAINS toLower($label))
  MATCH (a)-[:BY]->(author:Annotator)
  WITH a, author, reviews, reviewers, count,
    COLLECT { MATCH (a)-[:ANNOTATES]->(x) RETURN [x.id, x.model, x.layer] AS place
      ORDER BY place[0] } AS about
  WHERE (size($models) = 0 OR any(x IN about WHERE x[1] IN $models))
    AND (size($layers) = 0 OR any(x IN about WHERE x[2] IN $layers))
  RETURN 1 AS place, 'review' AS kind, CASE size(about) WHEN 0 THEN a.id ELSE about[0][0] END
    AS target, CASE size(about) WHEN 0 THEN null ELSE about[0][1] END AS model,
    [a.text + ' — ' + author.id] + reviews AS said,
    [author.id] + [r IN reviewers WHERE r <> author.id] AS annotators, count
  UNION ALL
  MATCH (old:Annotation)<-[:SUPERSEDES]-(n:Annotation {state: 'live'})-[:BY]->(w:Annotator)
  WITH old, n, w ORDER BY n.text, w.id, n.id
  WITH old, collect(n.text + ' — ' + w.id) AS said, collect(DISTINCT w.id) AS annotators,
    count(DISTINCT n.id) AS count
  WHERE count > 1 AND ($label = '' OR any(s IN said WHERE toLower(s) CONTAINS toLower($label)))
  WITH old, said, annotators, count,
    COLLECT { MATCH (old)-[:ANNOTATES]->(x) RETURN [x.id, x.model, x.layer] AS place
      ORDER BY place[0] } AS about
  WHERE (size($models) = 0 OR any(x IN about WHERE x[1] IN $models))
    AND (size($layers) = 0 OR any(x IN about WHERE x[2] IN $layers))
  RETURN 2 AS place, 'fork' AS kind, CASE size(about) WHEN 0 THEN old.id ELSE about[0][0] END
    AS target, CASE size(about) WHEN 0 THEN null ELSE about[0][1] END AS model,
    said, annotators, count
  UNION ALL
  MATCH (a:Annotation {state: 'contested'})
  WHERE $label = '' OR any(s IN coalesce(a.records, []) WHERE toLower(s) CONTAINS toLower($label))
  WITH a, COLLECT { MATCH (a)-[:BY]->(w:Annotator) RETURN w.id AS id ORDER BY id } AS annotators,
    COLLECT { MATCH (a)-[:ANNOTATES]->(x) RETURN [x.id, x.model, x.layer] AS place
      ORDER BY place[0] } AS about
  WHERE (size($models) = 0 OR any(x IN about WHERE x[1] IN $models))
    AND (size($layers) = 0 OR any(x IN about WHERE x[2] IN $layers))
  RETURN 3 AS place, 'contested' AS kind, a.id AS target,
    CASE size(about) WHEN 0 THEN null ELSE about[0][1] END AS model,
    coalesce(a.records, [a.text]) AS said, annotators, size(coalesce(a.records, [a.text])) AS count
}
RETURN kind, target, model, said, annotators, count
ORDER BY place, model, target, said
