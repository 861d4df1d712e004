// title = "Which published circuits a search found again, and as what"
// sentences = [
//   "published circuits found again",
//   "which published circuits were found again?",
//   "published circuits of {models} found again",
//   "rediscovered published circuits",
//   "which published circuits were rediscovered in {models}?",
// ]
// needs = [["published"], ["again", "rediscovered"]]
// words = ["circuit", "found", "model", "search"]
// table = ["circuit", "published_as", "found_as", "circuits", "least_q", "shared"]
// example = "which published circuits were found again?"
// requires = ["searches"]
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in; none for all"
// [columns]
// circuit = "the published circuit"
// model = "the model"
// published_as = "its motif, as published"
// members = "how many units it has"
// found_as = "motifs of the circuits that a search found among its units alone; empty: it was not found again"
// circuits = "how many such circuits"
// least_q = "the smallest q of their evidence"
// shared = "motifs of found circuits that share two units or more with it and have others besides"
MATCH (p:Circuit {origin: 'published'})<-[:MEMBER_OF]-(f:Feature)
WHERE size($models) = 0 OR p.model IN $models
WITH p, collect(DISTINCT f) AS members
WITH p, members, COLLECT {
    UNWIND members AS f
    MATCH (f)-[:MEMBER_OF]->(c:Circuit {origin: 'found'})
    WITH c, count(DISTINCT f) AS held
    MATCH (c)<-[:MEMBER_OF]-(x:Feature)
    WITH c, held, count(DISTINCT x) AS size
    MATCH (c)<-[:SUPPORTS]-(e:Evidence)
    WITH c, held, size, min(e.q) AS q
    RETURN {motif: c.motif, held: held, size: size, q: q, id: c.id} AS found ORDER BY c.id } AS found
WITH p, members, [one IN found WHERE one.held = one.size] AS again,
  [one IN found WHERE one.held < one.size AND one.held > 1 | one.motif] AS others
RETURN p.id AS circuit, p.model AS model, p.motif AS published_as, size(members) AS members,
  reduce(seen = [], one IN again | CASE WHEN one.motif IN seen THEN seen ELSE seen + one.motif END)
    AS found_as, size(again) AS circuits,
  reduce(least = null, one IN again | CASE WHEN least IS NULL OR one.q < least THEN one.q ELSE least END)
    AS least_q,
  reduce(seen = [], one IN others | CASE WHEN one IN seen THEN seen ELSE seen + one END) AS shared
ORDER BY circuits = 0, circuit
