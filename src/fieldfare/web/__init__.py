"""Pages for people, rendered here and served with `static`; whatever they show, features decide."""
