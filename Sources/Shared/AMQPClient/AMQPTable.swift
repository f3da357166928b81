import CLibRabbitMQ
import FoundationEssentials

/// Memory that C structures point into; freed with this object, so keep it alive over the call.
@safe final class AMQPArena {
    private var allocations: [UnsafeMutableRawPointer] = unsafe []

    deinit { unsafe allocations.forEach { unsafe $0.deallocate() } }

    func bytes(_ content: some Collection<UInt8>) -> amqp_bytes_t {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: max(1, content.count), alignment: 1)
        unsafe allocations.append(memory)
        unsafe UnsafeMutableRawBufferPointer(start: memory, count: content.count).copyBytes(from: content)
        return unsafe amqp_shim_bytes(memory, content.count)
    }

    func text(_ string: String) -> amqp_bytes_t {
        unsafe bytes(string.utf8)
    }

    func table(_ values: [String: AMQPValue]) -> amqp_table_t {
        let entries = UnsafeMutablePointer<amqp_table_entry_t>.allocate(capacity: max(1, values.count))
        unsafe allocations.append(UnsafeMutableRawPointer(entries))
        for (index, (name, value)) in values.sorted(by: { $0.key < $1.key }).enumerated() {
            let entry = unsafe amqp_table_entry_t(key: text(name), value: field(value))
            unsafe entries.advanced(by: index).initialize(to: entry)
        }
        return unsafe amqp_table_t(num_entries: CInt(values.count), entries: entries)
    }

    private func field(_ value: AMQPValue) -> amqp_field_value_t {
        var field = unsafe amqp_field_value_t()
        switch value {
        case .string(let string):
            unsafe field.kind = Self.kind("S")
            unsafe field.value.bytes = text(string)
        case .bytes(let content):
            unsafe field.kind = Self.kind("x")
            unsafe field.value.bytes = bytes(content)
        case .integer(let number):
            unsafe field.kind = Self.kind("l")
            unsafe field.value.i64 = Int64(number)
        case .boolean(let flag):
            unsafe field.kind = Self.kind("t")
            unsafe field.value.boolean = flag ? 1 : 0
        case .double(let number):
            unsafe field.kind = Self.kind("d")
            unsafe field.value.f64 = number
        case .timestamp(let date):
            unsafe field.kind = Self.kind("T")
            unsafe field.value.u64 = UInt64(max(0, date.timeIntervalSince1970))
        case .table(let members):
            unsafe field.kind = Self.kind("F")
            unsafe field.value.table = table(members)
        case .array(let elements):
            let entries = UnsafeMutablePointer<amqp_field_value_t>.allocate(capacity: max(1, elements.count))
            unsafe allocations.append(UnsafeMutableRawPointer(entries))
            for (index, element) in elements.enumerated() {
                unsafe entries.advanced(by: index).initialize(to: self.field(element))
            }
            unsafe field.kind = Self.kind("A")
            unsafe field.value.array = amqp_array_t(num_entries: CInt(elements.count), entries: entries)
        case .void: unsafe field.kind = Self.kind("V")
        }
        return unsafe field
    }

    private static func kind(_ letter: Unicode.Scalar) -> UInt8 { UInt8(letter.value) }
}

extension AMQPValue {
    /// How deep tables and arrays of a peer may be nested before the rest is dropped.
    private static let depthLimit = 16

    static func table(_ table: amqp_table_t, depth: Int = 0) -> [String: AMQPValue] {
        var values: [String: AMQPValue] = [:]
        guard depth < depthLimit else { return values }
        for index in 0..<Int(unsafe table.num_entries) {
            let entry = unsafe table.entries[index]
            unsafe values[String(amqp: entry.key)] = AMQPValue(entry.value, depth: depth + 1)
        }
        return values
    }

    private init(_ field: amqp_field_value_t, depth: Int) {
        switch Unicode.Scalar(unsafe field.kind) {
        case "S": self = unsafe .string(String(amqp: field.value.bytes))
        case "x": self = unsafe .bytes([UInt8](amqp: field.value.bytes))
        case "t": self = .boolean(unsafe field.value.boolean != 0)
        case "b": self = .integer(Int(unsafe field.value.i8))
        case "B": self = .integer(Int(unsafe field.value.u8))
        case "s": self = .integer(Int(unsafe field.value.i16))
        case "u": self = .integer(Int(unsafe field.value.u16))
        case "I": self = .integer(Int(unsafe field.value.i32))
        case "i": self = .integer(Int(unsafe field.value.u32))
        case "l": self = .integer(Int(unsafe field.value.i64))
        case "L": self = .integer(Int(clamping: unsafe field.value.u64))
        case "f": self = .double(Double(unsafe field.value.f32))
        case "d": self = .double(unsafe field.value.f64)
        case "T": self = .timestamp(Date(timeIntervalSince1970: Double(unsafe field.value.u64)))
        case "F": self = unsafe .table(Self.table(field.value.table, depth: depth))
        case "A":
            let array = unsafe field.value.array
            let count = depth < Self.depthLimit ? Int(unsafe array.num_entries) : 0
            self = .array((0..<count).map { unsafe AMQPValue(array.entries[$0], depth: depth + 1) })
        default: self = .void
        }
    }
}

extension String {
    init(amqp bytes: amqp_bytes_t) {
        self = unsafe String(decoding: UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.len), as: UTF8.self)
    }
}

extension [UInt8] {
    init(amqp bytes: amqp_bytes_t) {
        self = unsafe Array(UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.len))
    }
}

extension AMQPProperties {
    private static let contentTypeFlag: UInt32 = 1 << 15
    private static let headersFlag: UInt32 = 1 << 13
    private static let deliveryModeFlag: UInt32 = 1 << 12
    private static let correlationFlag: UInt32 = 1 << 10
    private static let expirationFlag: UInt32 = 1 << 8
    private static let messageFlag: UInt32 = 1 << 7
    private static let timestampFlag: UInt32 = 1 << 6

    init(_ c: amqp_basic_properties_t) {
        let flags = unsafe c._flags
        let mode = unsafe c.delivery_mode
        self.init(isPersistent: flags & Self.deliveryModeFlag != 0 && mode == 2)
        if flags & Self.contentTypeFlag != 0 { contentType = unsafe String(amqp: c.content_type) }
        if flags & Self.messageFlag != 0 { messageID = unsafe String(amqp: c.message_id) }
        if flags & Self.correlationFlag != 0 { correlationID = unsafe String(amqp: c.correlation_id) }
        if flags & Self.expirationFlag != 0 { expiration = Int(unsafe String(amqp: c.expiration)) }
        if flags & Self.timestampFlag != 0 { timestamp = Date(timeIntervalSince1970: Double(unsafe c.timestamp)) }
        if flags & Self.headersFlag != 0 { headers = unsafe AMQPValue.table(c.headers) }
    }

    /// The C form, pointing into `arena`.
    func fill(_ c: inout amqp_basic_properties_t, arena: AMQPArena) {
        unsafe c._flags = Self.deliveryModeFlag
        unsafe c.delivery_mode = isPersistent ? 2 : 1
        func set(_ value: String?, _ flag: UInt32, _ field: WritableKeyPath<amqp_basic_properties_t, amqp_bytes_t>) {
            guard let value else { return }
            unsafe c._flags |= flag
            unsafe c[keyPath: field] = arena.text(value)
        }
        unsafe set(contentType, Self.contentTypeFlag, \.content_type)
        unsafe set(messageID, Self.messageFlag, \.message_id)
        unsafe set(correlationID, Self.correlationFlag, \.correlation_id)
        unsafe set(expiration.map(String.init), Self.expirationFlag, \.expiration)
        if let timestamp {
            unsafe c._flags |= Self.timestampFlag
            unsafe c.timestamp = UInt64(max(0, timestamp.timeIntervalSince1970))
        }
        if !headers.isEmpty {
            unsafe c._flags |= Self.headersFlag
            unsafe c.headers = arena.table(headers)
        }
    }
}
