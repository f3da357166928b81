import CLibRabbitMQ
import Glibc

/// What the broker sends unasked.
enum AMQPEvent {
    case confirmed(tag: UInt64, isMultiple: Bool)
    case refused(tag: UInt64, isMultiple: Bool)
    /// A mandatory message found no queue.
    case returned(tag: UInt64?, AMQPError)
    case delivered(channel: UInt16, tag: UInt64, AMQPMessage)
    /// The broker ended a subscription, for instance because its queue was deleted.
    case cancelled(channel: UInt16)
    case channelClosed(UInt16, AMQPError)
    case other
}

/// Numbers of the protocol's methods: class in the upper half, method in the lower.
enum AMQPMethod {
    static let connectionClose: UInt32 = 0x000A_0032
    static let channelClose: UInt32 = 0x0014_0028
    static let channelCloseOK: UInt32 = 0x0014_0029
    static let cancel: UInt32 = 0x003C_001E
    static let returned: UInt32 = 0x003C_0032
    static let deliver: UInt32 = 0x003C_003C
    static let getOK: UInt32 = 0x003C_0047
    static let ack: UInt32 = 0x003C_0050
    static let nack: UInt32 = 0x003C_0078

    /// The reason in a close method.
    static func closeReason(_ method: amqp_method_t) -> AMQPError {
        guard let decoded = unsafe method.decoded else { return AMQPError(.channelClosed, "no reason given") }
        if unsafe method.id == channelClose {
            let close = unsafe decoded.assumingMemoryBound(to: amqp_channel_close_t.self).pointee
            return .replied(Int(unsafe close.reply_code), unsafe String(amqp: close.reply_text))
        }
        let close = unsafe decoded.assumingMemoryBound(to: amqp_connection_close_t.self).pointee
        return .replied(Int(unsafe close.reply_code), unsafe String(amqp: close.reply_text))
    }
}

extension AMQPHandle {
    /// The next event that is here already, nil when there is none.
    ///
    /// Also sends our heartbeats and notices the broker's missing ones, so it must be called several times a heartbeat.
    func nextEvent() throws(AMQPError) -> AMQPEvent? {
        var frame = unsafe amqp_frame_t()
        var limit = timeval(tv_sec: 0, tv_usec: 0)
        let status = unsafe amqp_simple_wait_frame_noblock(state, &frame, &limit)
        if status == AMQP_STATUS_TIMEOUT.rawValue { return nil }
        try check(status)
        guard unsafe frame.frame_type == UInt8(AMQP_FRAME_METHOD) else { return .other }
        let channel = unsafe frame.channel
        defer { unsafe amqp_maybe_release_buffers_on_channel(state, channel) }
        return try unsafe event(frame.payload.method, channel: channel)
    }

    private func event(_ method: amqp_method_t, channel: UInt16) throws(AMQPError) -> AMQPEvent {
        guard let decoded = unsafe method.decoded else { return .other }
        switch unsafe method.id {
        case AMQPMethod.ack:
            let ack = unsafe decoded.assumingMemoryBound(to: amqp_basic_ack_t.self).pointee
            return .confirmed(tag: ack.delivery_tag, isMultiple: ack.multiple != 0)
        case AMQPMethod.nack:
            let nack = unsafe decoded.assumingMemoryBound(to: amqp_basic_nack_t.self).pointee
            return .refused(tag: nack.delivery_tag, isMultiple: nack.multiple != 0)
        case AMQPMethod.returned:
            let returned = unsafe decoded.assumingMemoryBound(to: amqp_basic_return_t.self).pointee
            let error = AMQPError.replied(Int(unsafe returned.reply_code), unsafe String(amqp: returned.reply_text))
            let tag = try readContent(channel).properties.headers[AMQPPublication.tagHeader]?.integerValue
            return .returned(tag: tag.flatMap { UInt64(exactly: $0) }, error)
        case AMQPMethod.deliver: return try unsafe delivery(decoded, channel: channel)
        case AMQPMethod.cancel: return .cancelled(channel: channel)
        case AMQPMethod.channelClose:
            let reason = unsafe AMQPMethod.closeReason(method)
            didClose(channel)
            return .channelClosed(channel, reason)
        case AMQPMethod.connectionClose:
            giveUp()
            throw AMQPError(.connectionLost, unsafe AMQPMethod.closeReason(method).detail)
        default: return .other
        }
    }

    private func delivery(_ decoded: UnsafeMutableRawPointer, channel: UInt16) throws(AMQPError) -> AMQPEvent {
        let deliver = unsafe decoded.assumingMemoryBound(to: amqp_basic_deliver_t.self).pointee
        let tag = unsafe deliver.delivery_tag
        let (exchange, routingKey) = unsafe (String(amqp: deliver.exchange), String(amqp: deliver.routing_key))
        let isRedelivered = unsafe deliver.redelivered != 0
        let content = try readContent(channel)
        let message = AMQPMessage(
            body: content.body, properties: content.properties, exchange: exchange, routingKey: routingKey,
            isRedelivered: isRedelivered)
        return .delivered(channel: channel, tag: tag, message)
    }
}
