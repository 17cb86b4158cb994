//! hearth-openai.
