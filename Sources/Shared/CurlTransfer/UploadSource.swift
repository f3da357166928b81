import Glibc

/// Where the bytes of a request's body come from; used by the transfer thread.
struct UploadSource: ~Copyable {
    private enum Kind {
        case none
        case bytes([UInt8])
        case file(base: Int64)
        case channel(UploadChannel)
    }

    private let kind: Kind
    private let descriptor: FileDescriptorHandle?
    private var position: Int64 = 0
    /// nil when unknown; 0 without a body.
    let length: Int64?

    init(_ body: TransferBody, channel: UploadChannel?, peer: String) throws(TransferError) {
        switch body.content {
        case .none: (kind, length, descriptor) = (.none, 0, nil)
        case .bytes(let bytes): (kind, length, descriptor) = (.bytes(bytes), Int64(bytes.count), nil)
        case .file(let path, let offset, let wanted):
            let file = try FileDescriptorHandle(path: path, peer: peer)
            let available = file.size - offset
            guard offset >= 0, available >= 0, (wanted ?? 0) >= 0, (wanted ?? 0) <= available else {
                throw TransferError(.invalidRequest, peer: peer, detail: "The file is shorter than the region to send.")
            }
            (kind, length, descriptor) = (.file(base: offset), wanted ?? available, file)
        case .stream(let length, _):
            guard let channel else {
                throw TransferError(.invalidRequest, peer: peer, detail: "The body has no source.")
            }
            (kind, self.length, descriptor) = (.channel(channel), length, nil)
        }
    }

    var isPresent: Bool {
        if case .none = kind { return false }
        return true
    }

    /// What the streamed source threw.
    var failure: (any Error)? {
        if case .channel(let channel) = kind { return channel.failure }
        return nil
    }

    mutating func read(into target: UnsafeMutableRawBufferPointer) -> UploadChannel.Reading {
        switch kind {
        case .none: return .end
        case .channel(let channel): return unsafe channel.read(into: target)
        case .bytes(let bytes):
            let count = min(bytes.count - Int(position), target.count)
            guard count > 0 else { return .end }
            unsafe target.copyBytes(from: bytes[Int(position)..<(Int(position) + count)])
            position += Int64(count)
            return .bytes(count)
        case .file(let base):
            let wanted = min(Int(clamping: (length ?? 0) - position), target.count)
            guard wanted > 0 else { return .end }
            let count = unsafe descriptor?.read(into: target, count: wanted, at: base + position) ?? 0
            guard count > 0 else { return .failed }
            position += Int64(count)
            return .bytes(count)
        }
    }

    /// Starts again from `offset`; a stream cannot.
    mutating func rewind(to offset: Int64) -> Bool {
        if case .channel = kind { return false }
        position = offset
        return true
    }

    func close() {
        if case .channel(let channel) = kind { channel.close() }
    }
}

/// Owns an open file and closes it exactly once.
final class FileDescriptorHandle {
    private let descriptor: Int32
    let size: Int64

    init(path: String, peer: String) throws(TransferError) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        var status = stat()
        guard descriptor >= 0, unsafe fstat(descriptor, &status) == 0 else {
            if descriptor >= 0 { close(descriptor) }
            throw TransferError(.invalidRequest, peer: peer, detail: "The file to send cannot be opened.")
        }
        self.descriptor = descriptor
        size = Int64(status.st_size)
    }

    deinit { close(descriptor) }

    /// Returns how many bytes were read; 0 at the end of the file or when it cannot be read.
    func read(into target: UnsafeMutableRawBufferPointer, count: Int, at offset: Int64) -> Int {
        while true {
            let result = unsafe pread(descriptor, target.baseAddress, count, off_t(offset))
            if result >= 0 || errno != EINTR { return max(result, 0) }
        }
    }
}
