//! versions x secrets -> outcome
