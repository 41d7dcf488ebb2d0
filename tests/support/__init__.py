"""What tests are built from: accounts, a running application, processes to be killed."""
