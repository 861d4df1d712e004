// title = "Motif by network: what was found, beside chance and beside networks trained on something else"
// sentences = [
//   "motif by network, beside chance",
//   "which motifs are beyond chance in which networks?",
//   "how many circuits of each motif does each network have beside chance?",
//   "motifs of {models} beside chance",
//   "circuits of each motif beside the null",
// ]
// needs = [["circuit"], ["chance"]]
// words = ["kind", "model"]
// table = ["motif", "network", "tested", "found", "q", "hits", "null_mean", "p", "per_1000", "control_per_1000", "p_controls"]
// example = "motif by network, beside chance"
// requires = ["searches"]
// [parameters.models]
// type = "models"
// default = []
// help = "networks to look in; none for all"
// [parameters.controls]
// type = "models"
// default = []
// help = "networks that were trained on something else, as you say; none for no such comparison"
// [parameters.motif]
// type = "motif"
// default = ""
// help = "one motif, as in union; empty for all"
// # What a search by an older version left has no counts here: it is not listed until searched anew.
// [columns]
// motif = "what was searched for"
// of = "what relates the members"
// network = "the network"
// control = "whether it is one of those trained on something else"
// tested = "candidates that could be tested"
// found = "circuits that passed"
// q = "largest q of them: the share that chance explains"
// hits = "what fulfils every criterion, whatever its q"
// null_mean = "hits by chance, in the control of the search that gives most: permuted or shuffled weights, ..."
// null_method = "which control that is"
// null_count = "draws of it: p is 1 / (1 + draws) at least"
// p = "share of these draws with as many hits, counting what is"
// per_1000 = "circuits found for 1,000 candidates tested; empty where none could be"
// control_per_1000 = "the same in all networks trained on something else together"
// p_controls = "share of those networks in which any could be tested that have as many for 1,000, this network counted: 1 / (1 + how many) at least"
MATCH (i:Import {kind: 'find'})
WHERE i.tested IS NOT NULL AND ($motif = '' OR i.source = $motif)
WITH i.source AS motif, i.of AS of, i.model AS network, i,
  CASE i.tested WHEN 0 THEN null ELSE 1000.0 * i.found / i.tested END AS rate
WITH motif, of, collect({
  network: network, rate: rate, tested: i.tested, found: i.found, q: i.q, hits: i.hits,
  null_mean: i.null_mean, null_method: i.null_method, null_count: i.null_count, p: i.p
}) AS searches
WITH motif, of, searches, [s IN searches WHERE s.network IN $controls AND s.tested > 0] AS others
WITH motif, of, searches, others,
  reduce(n = 0, s IN others | n + s.tested) AS tested,
  reduce(n = 0, s IN others | n + s.found) AS found
UNWIND searches AS s
WITH motif, of, s, others, tested, found
WHERE size($models) = 0 OR s.network IN $models OR s.network IN $controls
RETURN motif, of, s.network AS network, s.network IN $controls AS control, s.tested AS tested,
  s.found AS found, s.q AS q, s.hits AS hits, s.null_mean AS null_mean,
  s.null_method AS null_method, s.null_count AS null_count, s.p AS p, s.rate AS per_1000,
  CASE tested WHEN 0 THEN null ELSE 1000.0 * found / tested END AS control_per_1000,
  CASE WHEN size(others) = 0 OR s.tested = 0 OR s.network IN $controls THEN null
    ELSE (1.0 + size([o IN others WHERE o.rate >= s.rate])) / (1 + size(others)) END AS p_controls
ORDER BY motif, of, control, coalesce(per_1000, -1.0) DESC, network
