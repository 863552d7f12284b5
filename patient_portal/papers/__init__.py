"""What we hand out on paper or as a PDF: the signed copy, the paper twin of a decision, the form for those without
an account. Tagged (PDF/UA-1), with its fonts, in the reader's language, and the same bytes for the same words."""
