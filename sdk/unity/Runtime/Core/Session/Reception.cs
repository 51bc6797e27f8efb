// SPDX-License-Identifier: Apache-2.0
using System;
using System.Threading;
using Segue.V1;

namespace Segue
{
    /// <summary>What to do after a stream has ended.</summary>
    public enum Next
    {
        /// <summary>Listen again, from where it broke off.</summary>
        Listen,

        /// <summary>The server does not know the session: bring it back by its resume point.</summary>
        Resume,

        /// <summary>Wait until the game wants it to go on.</summary>
        Wait,

        /// <summary>The music has come to its end.</summary>
        End,

        /// <summary>There is no way on with this session.</summary>
        GiveUp,
    }

    /// <summary>
    /// One listener's books, across reconnects: what was received, and where to go on after a break. No I/O, no clock; the
    /// listening task's alone, except for NextSample, CanResume and what is said to be for any thread.
    /// </summary>
    public sealed class Reception
    {
        private const long MostAhead = 60 * 48000;
        private const int MostTakes = 1 << 16;
        private readonly SessionOptions _options;
        private volatile string _listenerId = "";
        private long _next = -1;
        private long _first;
        private bool _hasBlocks;
        private int _take;

        /// <param name="keeper">Takes what is needed to resume; null asks the server for nothing of it.</param>
        public Reception(SessionOptions options, Keeper keeper)
        {
            _options = options;
            Keeper = keeper;
        }

        public Keeper Keeper { get; }

        /// <summary>First sample that has not arrived; null: the live edge.</summary>
        public long? NextSample
        {
            get
            {
                long next = Interlocked.Read(ref _next);
                return next < 0 ? (long?)null : next;
            }
            private set => Interlocked.Exchange(ref _next, value ?? -1);
        }

        /// <summary>First sample of the present stream. Any thread.</summary>
        public long FirstSample => Interlocked.Read(ref _first);

        /// <summary>How the present stream's chunks are encoded.</summary>
        public AudioEncoding Encoding { get; private set; } = AudioEncoding.S16;

        /// <summary>Names the present stream. Any thread.</summary>
        public string ListenerId => _listenerId;

        /// <summary>The first message of the present stream.</summary>
        public SessionReady Ready { get; private set; }

        /// <summary>The last message of the present stream.</summary>
        public Goodbye Goodbye { get; private set; }

        /// <summary>Breaks since audio last arrived.</summary>
        public int Tries { get; set; }

        /// <summary>Times that samples were missed for good.</summary>
        public int Gaps { get; private set; }

        /// <summary>Takes that have arrived.</summary>
        public int Takes { get; private set; }

        /// <summary>Whether there is what it takes to go on without the server that began.</summary>
        public bool CanResume => Keeper != null && Keeper.IsReady && NextSample.HasValue;

        /// <summary>How to begin, or to go on.</summary>
        public StreamAudioRequest Request(string sessionId)
        {
            Goodbye = null;
            var request = new StreamAudioRequest
            {
                SessionId = sessionId,
                Encoding = _options.Encoding,
                ChunkMs = _options.ChunkMs,
                WithContinuation = Keeper != null,
                WithoutClock = !_options.Clock,
                FromSample = NextSample,
            };
            if (NextSample.HasValue && _hasBlocks) request.Take = _take;
            return request;
        }

        /// <summary>
        /// Whether a chunk can't be where it says: of an older take than one before, back without a newer one, or so far
        /// ahead that nobody has played that long.
        /// </summary>
        public bool Contradicts(AudioChunk chunk)
        {
            if (!_hasBlocks || !NextSample.HasValue) return false;
            return chunk.Take < _take || chunk.Take - _take > MostTakes || chunk.FirstSample > NextSample + MostAhead
                || (chunk.Take == _take && chunk.FirstSample < NextSample);
        }

        /// <summary>What was received is not to be relied on: listen at the live edge, as if nothing had been.</summary>
        public void Forget()
        {
            NextSample = null;
            _hasBlocks = false;
            _take = 0;
            Gaps++;
        }

        /// <summary>Book a message.</summary>
        public void Take(StreamAudioResponse message)
        {
            switch (message.WhichMessage)
            {
                case StreamAudioResponse.MessageCase.Audio:
                    Book(message.Audio);
                    break;
                case StreamAudioResponse.MessageCase.Ready:
                    Ready = message.Ready;
                    Interlocked.Exchange(ref _first, message.Ready.FirstSample);
                    _listenerId = message.Ready.ListenerId;
                    Encoding = message.Ready.Format?.Encoding ?? AudioEncoding.S16;
                    break;
                case StreamAudioResponse.MessageCase.ResumePoint:
                    Keeper?.Point(message.ResumePoint);
                    break;
                case StreamAudioResponse.MessageCase.Goodbye:
                    Goodbye = message.Goodbye;
                    break;
            }
        }

        /// <summary>What to do now that the stream has ended well.</summary>
        public Next AfterEnd()
        {
            switch (Goodbye?.Reason)
            {
                case null:
                case GoodbyeReason.SlowListener:
                    return Next.Listen;
                case GoodbyeReason.Stopped:
                case GoodbyeReason.Closed:
                    return Next.End;
                case GoodbyeReason.Suspended:
                    return Next.Wait;
                case GoodbyeReason.Draining:
                case GoodbyeReason.Fault:
                    return CanResume ? Next.Listen : Next.GiveUp;
                default:
                    return Next.GiveUp;
            }
        }

        /// <summary>What to do now that the stream has failed, or could not be begun.</summary>
        public Next AfterError(SegueException error)
        {
            if (error.Code == StatusCode.OutOfRange && _hasBlocks && NextSample.HasValue)
            {
                NextSample = null;
                return Next.Listen;
            }
            if (error.IsUnknownSession) return CanResume ? Next.Resume : Next.GiveUp;
            // What a proxy says in between, or garbage, may pass as well, if it went well before.
            bool isVague = error.Reason.Length == 0 && (error.Code == StatusCode.Unknown || error.Code == StatusCode.Internal);
            return IsPassing(error) || (isVague && _hasBlocks) ? Next.Listen : Next.GiveUp;
        }

        /// <summary>Whether it may go better by itself.</summary>
        public static bool IsPassing(SegueException error) =>
            error.Code == StatusCode.Unavailable || error.Code == StatusCode.ResourceExhausted
            || error.Code == StatusCode.Cancelled || error.Code == StatusCode.DeadlineExceeded;

        /// <summary>What brings the session back, at the sample that is wanted next.</summary>
        public ResumeRequest Resume(string sessionToken)
        {
            var request = Keeper.Resume(NextSample.Value, sessionToken);
            NextSample = request.FromSample;
            return request;
        }

        private void Book(AudioChunk chunk)
        {
            Keeper?.Chunk(chunk);
            bool isNew = _hasBlocks && chunk.Take > _take;
            bool replaces = isNew && chunk.FirstSample <= NextSample;
            if (isNew) Takes++;
            if (_hasBlocks && chunk.FirstSample != NextSample && !replaces) Gaps++;
            _take = Math.Max(_take, chunk.Take);
            _hasBlocks = true;
            NextSample = chunk.FirstSample + chunk.SampleCount;
            Tries = 0;
        }
    }
}
