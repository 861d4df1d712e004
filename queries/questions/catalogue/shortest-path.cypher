// title = "The shortest excitatory paths from a feature to another"
// sentences = [
//   "shortest excitatory path from {feature} to {other}",
//   "how does {feature} excite {other}?",
//   "how does {feature} reach {other}?",
//   "shortest path from {feature} to {other}",
//   "which paths lead from {feature} to {other}?",
//   "by which path does {feature} excite {other}?",
// ]
// needs = [["path", "paths", "excite", "reach"]]
// words = ["go", "shortest", "excitatory", "positive"]
// example = "shortest excitatory path from inceptionv1/conv2d2:100 to inceptionv1/mixed4a:408"
// [parameters.feature]
// type = "feature"
// help = "where it starts, as model/layer:unit"
// [parameters.other]
// type = "feature"
// help = "where it ends"
// [parameters.longest]
// type = "integer"
// default = 3
// cues = ["step", "steps", "long"]
// help = "weights in a path at most; none longer than 4 is looked for"
// # Every length is written out: engines differ in patterns of variable length.
// [columns]
// length = "how many weights"
// path = "the features, from the first to the last"
// ranks = "place of each among the inputs of the next"
// sums = "net sum of each weight, all above 0: not the meaning of a spatial kernel"
// connections = "key of each kernel; parallel weights differ in it"
CALL () {
  MATCH (s:Feature {id: $feature})-[w1:WEIGHT]->(t:Feature {id: $other})
  WHERE $longest >= 1 AND w1.sum > 0
  RETURN 1 AS length, [s.id, t.id] AS path,
    [w1.rank] AS ranks, [w1.sum] AS sums,
    [w1.connection] AS connections
  UNION ALL
  MATCH (s:Feature {id: $feature})-[w1:WEIGHT]->(m1:Feature)-[w2:WEIGHT]->(t:Feature {id: $other})
  WHERE $longest >= 2 AND w1.sum > 0 AND w2.sum > 0
  RETURN 2 AS length, [s.id, m1.id, t.id] AS path,
    [w1.rank, w2.rank] AS ranks, [w1.sum, w2.sum] AS sums,
    [w1.connection, w2.connection] AS connections
  UNION ALL
  MATCH (s:Feature {id: $feature})-[w1:WEIGHT]->(m1:Feature)-[w2:WEIGHT]->(m2:Feature)-[w3:WEIGHT]->(t:Feature {id: $other})
  WHERE $longest >= 3 AND w1.sum > 0 AND w2.sum > 0 AND w3.sum > 0
  RETURN 3 AS length, [s.id, m1.id, m2.id, t.id] AS path,
    [w1.rank, w2.rank, w3.rank] AS ranks, [w1.sum, w2.sum, w3.sum] AS sums,
    [w1.connection, w2.connection, w3.connection] AS connections
  UNION ALL
  MATCH (s:Feature {id: $feature})-[w1:WEIGHT]->(m1:Feature)-[w2:WEIGHT]->(m2:Feature)-[w3:WEIGHT]->(m3:Feature)-[w4:WEIGHT]->(t:Feature {id: $other})
  WHERE $longest >= 4 AND w1.sum > 0 AND w2.sum > 0 AND w3.sum > 0 AND w4.sum > 0
  RETURN 4 AS length, [s.id, m1.id, m2.id, m3.id, t.id] AS path,
    [w1.rank, w2.rank, w3.rank, w4.rank] AS ranks, [w1.sum, w2.sum, w3.sum, w4.sum] AS sums,
    [w1.connection, w2.connection, w3.connection, w4.connection] AS connections
}
WITH collect([length, path, ranks, sums, connections]) AS found, min(length) AS least
UNWIND found AS one
WITH one, least WHERE one[0] = least
RETURN one[0] AS length, one[1] AS path, one[2] AS ranks, one[3] AS sums,
  one[4] AS connections
ORDER BY path, ranks, connections
