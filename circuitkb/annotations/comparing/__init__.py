"""What raters say, compared: agreement, consensus, vocabularies, measurements."""
