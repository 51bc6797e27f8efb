// SPDX-License-Identifier: Apache-2.0
using System;
using System.Threading;
using System.Threading.Tasks;
using Segue.Audio;
using Segue.Net;
using Segue.V1;
using Segue.Wire;

namespace Segue
{
    /// <summary>
    /// One session's stream, from its creation to its end: broken, it is taken up again; with the server gone, the session
    /// is resumed; and if that is refused, a session of our own is begun anew. One task.
    /// </summary>
    internal sealed class Listening
    {
        /// <summary>How long a beginning may be silent where there is a fallback.</summary>
        private static readonly TimeSpan Welcome = TimeSpan.FromSeconds(1.5);

        private readonly SoundtrackSession _session;
        private readonly GrpcWebChannel _channel;
        private readonly SessionOptions _options;
        private readonly ResumeRequest _saved;
        private readonly Reporter _reporter;
        private readonly SemaphoreSlim _goOn = new SemaphoreSlim(0);
        private volatile SegueException _error;
        private volatile Reception _reception;
        private volatile bool _restarts;
        private int _state;

        public Listening(SoundtrackSession session, GrpcWebChannel channel, SessionOptions options, ResumeRequest saved)
        {
            _session = session;
            _channel = channel;
            _options = options;
            _saved = saved;
            _reception = new Reception(options, options.Resume ? new Keeper() : null);
            _reporter = new Reporter(session, channel, options, () => _reception);
        }

        public ConnectionState State => (ConnectionState)Volatile.Read(ref _state);

        public SegueException Error => _error;

        public Reception Reception => _reception;

        /// <summary>Whether a session that its server has lost is brought back from here. Any thread.</summary>
        public bool BringsBack => _reception.CanResume && State != ConnectionState.Stopped && State != ConnectionState.Failed;

        public int Reconnects { get; private set; }

        public int Resumes { get; private set; }

        public int Gaps => _reception.Gaps;

        public int LeadMs => _reporter.LeadMs;

        public TimeSpan RoundTrip => _reporter.RoundTrip;

        /// <summary>The game wants a suspended session to go on. Any thread.</summary>
        public void GoOn()
        {
            const int suspended = (int)ConnectionState.Suspended, next = (int)ConnectionState.Reconnecting;
            if (Interlocked.CompareExchange(ref _state, next, suspended) == suspended) _goOn.Release();
        }

        public async Task RunAsync(CancellationToken stop)
        {
            try
            {
                Enter(ConnectionState.Connecting);
                var late = Task.Delay(Welcome, stop).ContinueWith(
                    _ => _session.Mixer.WantsFallback |= State == ConnectionState.Connecting,
                    stop, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
                var next = _session.Id == null ? await CreateAsync(_saved, "", stop).ConfigureAwait(false) : Next.Listen;
                var reports = _reporter.RunAsync(stop);
                while (next != Next.End && next != Next.GiveUp) next = await StepAsync(next, stop).ConfigureAwait(false);
                Enter(next == Next.End ? ConnectionState.Stopped : ConnectionState.Failed);
                if (next == Next.GiveUp) _session.Failed(_error);
                else if (_reception.NextSample.HasValue) _session.Mixer.End = _reception.NextSample.Value;
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                Enter(ConnectionState.Stopped);
            }
            catch (Exception error)
            {
                _error = error as SegueException ?? new SegueException(StatusCode.Unknown, error.GetType().Name + ": " + error.Message, error);
                _session.Failed(_error);
                Enter(ConnectionState.Failed);
            }
        }

        private async Task<Next> StepAsync(Next next, CancellationToken stop)
        {
            switch (next)
            {
                case Next.Resume:
                    Enter(ConnectionState.Resuming);
                    next = await ResumeAsync(stop).ConfigureAwait(false);
                    break;
                case Next.Wait:
                    Enter(ConnectionState.Suspended);
                    await _goOn.WaitAsync(stop).ConfigureAwait(false);
                    return Next.Listen;
                default:
                    next = await ListenAsync(stop).ConfigureAwait(false);
                    if (next == Next.Listen || next == Next.Resume)
                    {
                        Reconnects++;
                        Enter(ConnectionState.Reconnecting);
                        await Task.Delay(Pause(next), stop).ConfigureAwait(false);
                        _reception.Tries++;
                    }
                    break;
            }
            // What can't be taken up again is begun anew, if it was begun here: music of the same kind rather than none.
            if (next == Next.GiveUp && _session.IsOurs && _error != null && (_error.IsUnknownSession || _error.Reason == "RESUME_REFUSED"))
                next = await RestartAsync(stop).ConfigureAwait(false);
            return next;
        }

        private TimeSpan Pause(Next next)
        {
            if (next == Next.Resume && _reception.Tries == 0) return TimeSpan.Zero;
            var pause = Backoff.Before(_reception.Tries);
            var told = _error?.RetryAfter;
            return told > pause ? told.Value + Backoff.Before(2) : pause;
        }

        private async Task<Next> ListenAsync(CancellationToken stop)
        {
            using (var silence = CancellationTokenSource.CreateLinkedTokenSource(stop))
            {
                try
                {
                    _error = null;
                    _reporter.Alive();
                    _reporter.Fed();
                    _reporter.CutOff = silence.Cancel;
                    silence.CancelAfter(_channel.Timeout);
                    var request = _reception.Request(_session.Id);
                    using (var stream = await _channel.OpenAsync("StreamAudio", request, _session.Token, silence.Token).ConfigureAwait(false))
                    {
                        while (true)
                        {
                            var bytes = await stream.NextAsync(silence.Token).ConfigureAwait(false);
                            if (bytes == null) break;
                            silence.CancelAfter(Timeout.InfiniteTimeSpan);
                            await TakeAsync(StreamAudioResponse.Parse(bytes), stop).ConfigureAwait(false);
                        }
                    }
                    return AfterEnd();
                }
                catch (MalformedException error)
                {
                    return AfterError(new SegueException(StatusCode.Unavailable, "the server sent what is not the protocol: " + error.Message, error));
                }
                catch (SegueException error)
                {
                    return AfterError(error);
                }
                catch (OperationCanceledException) when (!stop.IsCancellationRequested)
                {
                    return AfterError(new SegueException(StatusCode.Unavailable, "nothing came for too long"));
                }
                finally
                {
                    _reporter.CutOff = null;
                }
            }
        }

        private Next AfterEnd()
        {
            var goodbye = _reception.Goodbye;
            var next = _reception.AfterEnd();
            if (goodbye == null || next == Next.End) return next;
            _error = new SegueException(StatusCode.Unavailable, goodbye.Message.Length > 0 ? goodbye.Message : goodbye.Reason.ToString())
            {
                // Another server may be there at once; the one that goes says by itself how long to wait.
                Reason = goodbye.Reason.ToString(),
            };
            return next;
        }

        private Next AfterError(SegueException error)
        {
            _error = error;
            return _reception.AfterError(error);
        }

        private async Task TakeAsync(StreamAudioResponse message, CancellationToken stop)
        {
            _reporter.Alive();
            switch (message.WhichMessage)
            {
                case StreamAudioResponse.MessageCase.Audio:
                    _reporter.Fed();
                    var block = ChunkDecoder.Decode(message.Audio, _reception.Encoding, _session.Mixer.Blocks);
                    if (_reception.Contradicts(message.Audio))
                    {
                        _reception.Forget();
                        _restarts = true;
                        throw new MalformedException("audio: the chunk at " + message.Audio.FirstSample + " of take " + message.Audio.Take + " contradicts those before it");
                    }
                    block.Restarts = _restarts;
                    _restarts = false;
                    // Nobody plays: the server is to wait, or to end this stream.
                    while (block.Count > 0 && !_session.Mixer.Blocks.Send(block)) await Task.Delay(20, stop).ConfigureAwait(false);
                    _reception.Take(message);
                    Enter(ConnectionState.Playing);
                    break;
                case StreamAudioResponse.MessageCase.Event:
                    _session.Arrived(message.Event);
                    break;
                case StreamAudioResponse.MessageCase.Warning:
                    _session.Warn(message.Warning);
                    break;
                default:
                    _reception.Take(message);
                    if (message.Ready != null) Begun(message.Ready);
                    break;
            }
        }

        private void Begun(SessionReady ready)
        {
            _reporter.Every(ready.ReportEveryMs);
            // Somebody else may have brought the session back, to somewhere else.
            if (ready.SessionToken.Length > 0) _session.Opened(_session.Id, ready.SessionToken);
            if (ready.Session == null) return;
            _session.Fallback.Enter(ready.Session.State);
            _session.Mixer.End = SoundtrackSession.Stands(ready.Session.Status) ? ready.Session.HeadSample : long.MaxValue;
            Enter(ConnectionState.Playing);
        }

        private async Task<Next> CreateAsync(ResumeRequest from, string state, CancellationToken stop)
        {
            var request = _options.Request(Guid.NewGuid().ToString("N"), state, state.Length > 0 ? _session.Values() : null);
            if (from != null)
            {
                request = new CreateSessionRequest { Resume = from, RequestId = request.RequestId, TargetLeadMs = _options.LeadMs, Paused = _options.Paused };
                foreach (var pair in _options.Labels) request.Labels[pair.Key] = pair.Value;
            }
            for (int tries = 1; ; tries++)
            {
                try
                {
                    var answer = await _channel.CallAsync("CreateSession", request, new CreateSessionResponse(), _session.ClientToken, stop).ConfigureAwait(false);
                    foreach (var warning in answer.Warnings) _session.Warn(warning);
                    _session.Opened(answer.Session.SessionId, answer.SessionToken);
                    return Next.Listen;
                }
                catch (SegueException error)
                {
                    _error = error;
                    if (!Reception.IsPassing(error)) return Next.GiveUp;
                }
                _session.Mixer.WantsFallback = true;
                await Task.Delay(Pause(Next.Listen), stop).ConfigureAwait(false);
                _reception.Tries = tries;
            }
        }

        private async Task<Next> ResumeAsync(CancellationToken stop)
        {
            var request = new CreateSessionRequest
            {
                Resume = _reception.Resume(_session.Token),
                RequestId = Guid.NewGuid().ToString("N"),
                TargetLeadMs = _options.LeadMs,
            };
            foreach (var pair in _options.Labels) request.Labels[pair.Key] = pair.Value;
            try
            {
                var answer = await _channel.CallAsync("CreateSession", request, new CreateSessionResponse(), _session.Token, stop).ConfigureAwait(false);
                // The same token, by the way to where the session is now.
                if (answer.SessionToken.Length > 0) _session.Opened(_session.Id, answer.SessionToken);
                Resumes++;
                return Next.Listen;
            }
            catch (SegueException error)
            {
                _error = error;
                if (!Reception.IsPassing(error)) return Next.GiveUp;
            }
            await Task.Delay(Pause(Next.Listen), stop).ConfigureAwait(false);
            _reception.Tries++;
            return Next.Resume;
        }

        private async Task<Next> RestartAsync(CancellationToken stop)
        {
            _reception = new Reception(_options, _options.Resume ? new Keeper() : null);
            _restarts = true;
            _session.Restarted();
            return await CreateAsync(null, _session.Fallback.State, stop).ConfigureAwait(false);
        }

        private void Enter(ConnectionState state)
        {
            Volatile.Write(ref _state, (int)state);
            switch (state)
            {
                case ConnectionState.Reconnecting:
                case ConnectionState.Resuming:
                case ConnectionState.Failed:
                    _session.Mixer.WantsFallback = true;
                    break;
                case ConnectionState.Stopped:
                    _session.Mixer.WantsFallback = false;
                    break;
            }
        }
    }
}
