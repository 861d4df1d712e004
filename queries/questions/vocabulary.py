"""The words that questions are asked in: which mean the same, and which say nothing.

Words that turn a question round (not, without, except) are meaningful, never fillers: a sentence
that has one is only understood where a question of the catalogue has it too.
"""

from __future__ import annotations

FILLERS = frozenset(
    """
    a about across actually all already also among an and any anything anywhere are as at be
    been being between by can carries carry carrying ckb could currently data database display
    do does each ever every everything everywhere exactly exist exists find for found from
    further get gets give graph had has have here how i i'd if in inside is it its just kb know
    knowledge let list look looking may me might my net now of off on one ones only or other
    others our out over own per please print query question report return search see seek shall
    should show single so some something still such tell than that the their them there there's
    these they thing things this those to together under us using via want was we were what
    what's when which who whole whose will with would yet you your
    """.split()  # noqa: SIM905
)
"""Words that carry no meaning in a question about circuits."""

PREPOSITIONS = frozenset(
    """
    about after against around as at before behind by during except for from in into like near of
    on onto per since than through to toward towards under until via with within without
    """.split()  # noqa: SIM905
)
"""What stands after one of these narrows what is asked."""

NARROWING = frozenset(
    """
    above accuracy because below beyond bigger but diagonal exceeding fewer greater horizontal if
    instead oblique smaller unless until vertical when why
    """.split()  # noqa: SIM905
)
"""Words that bound an answer, or ask for something that no question answers."""

ORDERS = frozenset(
    """
    activate annotate combine excite inhibit join label merge silence suppress tag
    """.split()  # noqa: SIM905
)
"""A sentence that begins with one of these orders something to be done, and asks nothing."""

_FORMS = {
    "union": (
        "union unions unioning unioned unionise unionize unite unites uniting united unify "
        "unifies unifying unified unification merge merges merging merged join joins joining "
        "joined combine combines combining combined combination combinations disjunction fuse "
        "fuses fused fusing fusion aggregate aggregates aggregating"
    ),
    "left": "left lefts leftward leftwards leftfacing",
    "right": "right rights rightward rightwards rightfacing",
    "mirror": (
        "mirror mirrors mirrored mirroring mirrorimage flip flips flipped reflect reflected "
        "reflection reflections"
    ),
    "facing": "face faces facing turned pointing directed lean leans leaning opening",
    "orientation": (
        "orientation orientations oriented orient direction directions pose poses viewpoint "
        "viewpoints side sides sided"
    ),
    "invariant": "invariant invariance invariances invariantly",
    "case": "case cases version versions variant variants",
    "image": "image images",
    "detect": (
        "detector detectors detect detects detecting detected detection respond responds "
        "responding fire fires"
    ),
    "circuit": "circuit circuits motif motifs subgraph subgraphs subcircuit subcircuits",
    "feature": "feature features unit units neuron neurons channel channels node nodes cell cells",
    "model": "model models network networks nets architecture architectures net zoo",
    "layer": "layer layers",
    "input": (
        "input inputs incoming upstream afferent afferents parent parents source sources "
        "predecessor predecessors feeder feeders"
    ),
    "output": (
        "output outputs outgoing downstream efferent efferents child children target targets "
        "successor successors consumer consumers recipient recipients destination destinations"
    ),
    "chance": "chance null nulls",
    "feed": (
        "feed feeds feeding fed drive drives driving driven supply supplies project projects "
        "projecting projection projections send sends sending contribute contributes "
        "contributing"
    ),
    "into": "into",
    "made": "made make makes assembled composed consist consists",
    "built": "build builds built",
    "use": "use uses used read reads take takes taking receive receives",
    "go": "go goes going lead leads",
    "strong": (
        "strong strongest top largest biggest highest main most important heaviest strength "
        "best major greatest dominant principal key leading"
    ),
    "first": "first",
    "weight": "weight weights edge edges connection connections kernel kernels mass",
    "labelled": (
        "labelled labeled label labels labelling labeling tag tags tagged annotated annotation "
        "annotations"
    ),
    "called": "called call calls named name names",
    "family": "family families category categories group groups class classes concept concepts",
    "several": (
        "several multiple many two twice more various different overlapping overlap polysemantic"
    ),
    "filed": "filed file stand stands belong belongs sit sits listed",
    "conflict": (
        "conflict conflicts conflicting contradict contradicts contradicting contradiction "
        "contradictions contradictory disagree disagrees disagreement disagreements disagreeing "
        "inconsistent inconsistency inconsistencies clash clashes refute refutes refuted "
        "refuting disputed dispute disputes doubtful contested"
    ),
    "published": "published publish article articles paper papers distill figure figures numbers",
    "evidence": "evidence measurement measurements claim claims",
    "unexplained": "unexplained unaccounted remainder residue",
    "left_out": "left_out dropped omitted omits omit lost discarded cut",
    "missing": "missing misses miss lacking lacks",
    "covered": "covered cover covers coverage complete completeness",
    "hide": "hide hides hidden hiding",
    "rest": "rest remaining",
    "share": "share shares much fraction percentage percent proportion part parts amount",
    "little": "least little less fewest",
    "contain": "contain contains containing include includes including involve involves involving",
    "role": (
        "role roles play plays participate participates appear appears occur occurs member "
        "members present"
    ),
    "where": "where wherever",
    "analogous": (
        "analogous analogue analogues analog analogs equivalent equivalents homologous "
        "homologue homologues homolog homologs"
    ),
    "counterpart": "counterpart counterparts",
    "corresponds": (
        "corresponds correspond corresponding correspondence match matches matching matched"
    ),
    "like": "like similar resembles resemble alike",
    "common": "common shared sharing",
    "both": "both",
    "path": (
        "path paths route routes chain chains connect connects connected connecting link links "
        "linked linking"
    ),
    "shortest": "shortest short shorter",
    "excite": (
        "excite excites exciting excited exciter exciters excitatory excitation activates "
        "activate activated activating positive positively"
    ),
    "reach": "reach reaches reaching reached",
    "inhibit": (
        "inhibit inhibits inhibiting inhibited inhibition inhibitory inhibitor inhibitors "
        "suppress suppresses suppressed suppressing suppression silence silences silenced "
        "dampen dampens dampened negative negatively"
    ),
    "oppose": (
        "oppose opposes opposed opposing opposite opponent opponents rival rivals antagonist "
        "antagonists antagonise antagonize"
    ),
    "compete": "compete competes competing competition competitor competitors",
    "reciprocal": "reciprocal reciprocally mutual mutually",
    "nobody": "nobody",
    "unlabelled": "unlabelled unlabeled unannotated untagged unnamed uninterpreted",
    "next": "next",
    "importance": "importance matter matters relevance relevant",
    "twin": "twin twins partner partners",
    "prefer": (
        "prefer prefers preferring preferred tuned tuning selective selectivity sensitive "
        "responsive"
    ),
    "measured": "measured measure measures test tests tested",
    "hub": "hub hubs",
    "kind": "kind kinds type types",
    "count": "count counts counted",
    "imported": "imported imports",
    "loaded": "loaded ingested added",
    "provenance": "provenance origin origins",
    "history": "history log",
    "come": "come comes coming came converge converges converging meet meets",
    "recur": "recur recurs recurring universal universality",
    "review": "review reviews reviewed reviewing reviewer reviewers",
    "verdict": "verdict verdicts judgement judgements judgment judgments opinion opinions",
    "say": "say says said think thinks thought",
    "confirm": (
        "confirm confirms confirmed confirming support supports supported corroborate "
        "corroborates verify verifies verified validate validates validated"
    ),
    "outdated": "outdated obsolete old older superseded",
    "pending": "pending unresolved orphan orphaned",
    "waiting": "waiting await awaits awaiting",
    "annotators": (
        "annotator annotators labeller labellers labeler labelers rater raters coder coders"
    ),
    "people": "people person persons expert experts researcher researchers",
    "known": "known",
    "stale": "stale",
    "pair": "pair pairs",
    "differently": "differently",
    "not": "not no never isn't aren't don't doesn't without except neither nor non",
}

COMMON = {form: word for word, forms in _FORMS.items() for form in forms.split()}
"""The common form of each known word: ``merging`` and ``unions`` are ``union``."""
