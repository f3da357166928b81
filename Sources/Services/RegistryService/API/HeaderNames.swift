import HTTPTypes

extension HTTPField.Name {
    static let dockerContentDigest = own("Docker-Content-Digest")
    static let dockerAPIVersion = own("Docker-Distribution-Api-Version")
    static let dockerUploadID = own("Docker-Upload-UUID")
    static let ociSubject = own("OCI-Subject")
    static let ociFiltersApplied = own("OCI-Filters-Applied")
    static let ociTag = own("OCI-Tag")
    static let link = own("Link")

    private static func own(_ text: String) -> Self {
        guard let name = Self(text) else { preconditionFailure("\(text) is no header name") }
        return name
    }
}
