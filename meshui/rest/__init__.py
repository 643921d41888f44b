"""What the API of every app is made of: views that declare, problems, pages by cursor, the schema. No rows here."""
