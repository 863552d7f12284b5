"""May store S use data class C of person P for purpose U now? Answered in process, fresh to the last commit."""
