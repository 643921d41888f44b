"""The playground: clusters that need nothing but Python. The product never imports it."""
