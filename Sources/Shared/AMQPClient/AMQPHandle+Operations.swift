import CLibRabbitMQ

/// What a channel can be asked for; each call blocks until the broker has answered.
extension AMQPHandle {
    func selectConfirms(_ channel: UInt16) throws(AMQPError) {
        unsafe amqp_confirm_select(state, channel)
        try checkLast(channel)
    }

    func declare(_ declaration: AMQPDeclaration, channel: UInt16) throws(AMQPError) {
        let arena = AMQPArena()
        defer { withExtendedLifetime(arena) {} }
        switch declaration {
        case .exchange(let name, let kind):
            unsafe amqp_exchange_declare(
                state, channel, arena.text(name), arena.text(kind), 0, 1, 0, 0, amqp_empty_table)
        case .queue(let name, let arguments, let isDurable):
            unsafe amqp_queue_declare(
                state, channel, arena.text(name), 0, isDurable ? 1 : 0, 0, 0, arena.table(arguments))
        case .binding(let queue, let exchange, let routingKey):
            unsafe amqp_queue_bind(
                state, channel, arena.text(queue), arena.text(exchange), arena.text(routingKey), amqp_empty_table)
        }
        try checkLast(channel)
    }

    func status(of queue: String, channel: UInt16) throws(AMQPError) -> AMQPQueueStatus {
        let arena = AMQPArena()
        defer { withExtendedLifetime(arena) {} }
        let answer = unsafe amqp_queue_declare(state, channel, arena.text(queue), 1, 0, 0, 0, amqp_empty_table)
        guard let answer = unsafe answer else {
            try checkLast(channel)
            throw AMQPError(.channelClosed, "no answer")
        }
        return AMQPQueueStatus(
            messages: Int(unsafe answer.pointee.message_count), consumers: Int(unsafe answer.pointee.consumer_count))
    }

    func purge(_ queue: String, channel: UInt16) throws(AMQPError) -> Int {
        let arena = AMQPArena()
        defer { withExtendedLifetime(arena) {} }
        guard let answer = unsafe amqp_queue_purge(state, channel, arena.text(queue)) else {
            try checkLast(channel)
            throw AMQPError(.channelClosed, "no answer")
        }
        return Int(unsafe answer.pointee.message_count)
    }

    func delete(queue: String, channel: UInt16) throws(AMQPError) {
        let arena = AMQPArena()
        defer { withExtendedLifetime(arena) {} }
        unsafe amqp_queue_delete(state, channel, arena.text(queue), 0, 0)
        try checkLast(channel)
    }

    func unbind(queue: String, exchange: String, routingKey: String, channel: UInt16) throws(AMQPError) {
        let arena = AMQPArena()
        defer { withExtendedLifetime(arena) {} }
        unsafe amqp_queue_unbind(
            state, channel, arena.text(queue), arena.text(exchange), arena.text(routingKey), amqp_empty_table)
        try checkLast(channel)
    }

    func consume(_ queue: String, tag: String, prefetch: UInt16, channel: UInt16) throws(AMQPError) {
        let arena = AMQPArena()
        defer { withExtendedLifetime(arena) {} }
        unsafe amqp_basic_qos(state, channel, 0, prefetch, 0)
        try checkLast(channel)
        unsafe amqp_basic_consume(state, channel, arena.text(queue), arena.text(tag), 0, 0, 0, amqp_empty_table)
        try checkLast(channel)
    }

    func cancel(consumer tag: String, channel: UInt16) throws(AMQPError) {
        let arena = AMQPArena()
        defer { withExtendedLifetime(arena) {} }
        unsafe amqp_basic_cancel(state, channel, arena.text(tag))
        try checkLast(channel)
    }

    /// Takes one message, unsettled; nil when the queue is empty.
    func get(_ queue: String, channel: UInt16) throws(AMQPError) -> (tag: UInt64, message: AMQPMessage)? {
        let arena = AMQPArena()
        defer { withExtendedLifetime(arena) {} }
        let reply = unsafe amqp_basic_get(state, channel, arena.text(queue), 0)
        try unsafe check(reply, channel: channel)
        guard unsafe reply.reply.id == AMQPMethod.getOK, let decoded = unsafe reply.reply.decoded else { return nil }
        let answer = unsafe decoded.assumingMemoryBound(to: amqp_basic_get_ok_t.self).pointee
        let tag = unsafe answer.delivery_tag
        let (exchange, routingKey) = unsafe (String(amqp: answer.exchange), String(amqp: answer.routing_key))
        let isRedelivered = unsafe answer.redelivered != 0
        let content = try readContent(channel)
        return (
            tag,
            AMQPMessage(
                body: content.body, properties: content.properties, exchange: exchange, routingKey: routingKey,
                isRedelivered: isRedelivered)
        )
    }

    func settle(_ tag: UInt64, _ settlement: AMQPSettlement, channel: UInt16) throws(AMQPError) {
        switch settlement {
        case .acknowledge: try check(unsafe amqp_basic_ack(state, channel, tag, 0))
        case .requeue: try check(unsafe amqp_basic_nack(state, channel, tag, 0, 1))
        case .reject: try check(unsafe amqp_basic_reject(state, channel, tag, 0))
        }
    }

    /// Sends a message; the broker's confirm comes later.
    func publish(_ publication: AMQPPublication, tag: UInt64, channel: UInt16) throws(AMQPError) {
        let arena = AMQPArena()
        var properties = unsafe amqp_basic_properties_t()
        var given = publication.properties
        if publication.isMandatory { given.headers[AMQPPublication.tagHeader] = .integer(Int(tag)) }
        unsafe given.fill(&properties, arena: arena)
        let status = unsafe publication.body.withUnsafeBytes { body in
            unsafe amqp_basic_publish(
                state, channel, arena.text(publication.exchange), arena.text(publication.routingKey),
                publication.isMandatory ? 1 : 0, 0, &properties, amqp_shim_bytes(body.baseAddress, body.count))
        }
        withExtendedLifetime(arena) {}
        try check(status)
    }

    /// Reads the properties and body that follow a method carrying content.
    func readContent(_ channel: UInt16) throws(AMQPError) -> (body: [UInt8], properties: AMQPProperties) {
        var message = unsafe amqp_message_t()
        try unsafe check(amqp_read_message(state, channel, &message, 0), channel: channel)
        defer { unsafe amqp_destroy_message(&message) }
        return unsafe ([UInt8](amqp: message.body), AMQPProperties(message.properties))
    }
}

/// What becomes of a delivery.
enum AMQPSettlement: Sendable {
    /// Done: the broker forgets it.
    case acknowledge
    /// Back into the queue.
    case requeue
    /// Not wanted: dropped or dead-lettered, as the queue says.
    case reject
}

/// A message on its way to the broker.
struct AMQPPublication: Sendable {
    /// A header that tells a returned message's publication; brokers and consumers ignore it.
    static let tagHeader = "x-publication"

    let exchange: String
    let routingKey: String
    let body: [UInt8]
    let properties: AMQPProperties
    let isMandatory: Bool
}
