"""How units respond to stimuli: a battery, the responses to it, and measures with their nulls.

``docs/observation.md`` says what is shown, where it is read, and what counts as a finding.
"""
