//! Functions of AWS Lambda.
