//! The examples of the five seed documents, with the same results: each stands as a documentation
//! example at what it shows, and runs here.

mod lambda;
mod s3;
mod aws;
mod iniesta;
mod pylon;
mod relengapi;
mod ssm;
mod dynamodb;
mod sql;
mod zc;
