// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Threading.Tasks;
using Segue.Net;
using Segue.V1;
using Segue.Wire;

namespace Segue
{
    /// <summary>The controls: each says where it will be heard. All throw <see cref="SegueException"/>.</summary>
    public sealed partial class SoundtrackSession
    {
        /// <summary>Between two tries of a control: its session may be back at any moment.</summary>
        private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(0.5);

        /// <summary>Tell what happened in the game.</summary>
        /// <param name="at">Where what it sets off begins, if not where the soundtrack says.</param>
        /// <param name="set">Parameters that change together with it, before guards look at them.</param>
        public async Task<ControlOutcome> PostEventAsync(
            string name, ExitSourceAt at = ExitSourceAt.Unspecified, IReadOnlyDictionary<string, double> set = null)
        {
            var request = new PostEventRequest { Control = await HeaderAsync(at, set).ConfigureAwait(false), Event = name };
            return (await SteerAsync("PostEvent", request, new PostEventResponse(), set).ConfigureAwait(false)).Outcome;
        }

        /// <summary>Go to a state by name. Where the server can't be reached, the fallback goes there alone.</summary>
        public async Task<ControlOutcome> SetStateAsync(
            string state, ExitSourceAt at = ExitSourceAt.Unspecified, IReadOnlyDictionary<string, double> set = null)
        {
            try
            {
                var request = new SetStateRequest { Control = await HeaderAsync(at, set).ConfigureAwait(false), State = state };
                return (await SteerAsync("SetState", request, new SetStateResponse(), set).ConfigureAwait(false)).Outcome;
            }
            catch (SegueException error) when (Reception.IsPassing(error))
            {
                Fallback.Enter(state);
                throw;
            }
        }

        /// <summary>Set parameters, together.</summary>
        /// <param name="jump">At once instead of by the parameters' seek_speed.</param>
        public async Task<ControlOutcome> SetParametersAsync(IReadOnlyDictionary<string, double> values, bool jump = false)
        {
            var change = new ParameterChange { IgnoreSeekSpeed = jump };
            foreach (var pair in values) change.Values.Add(new ParameterValue { Name = pair.Key, Value = pair.Value });
            var request = new SetParametersRequest { Control = await HeaderAsync().ConfigureAwait(false), Parameters = change };
            return (await SteerAsync("SetParameters", request, new SetParametersResponse(), values).ConfigureAwait(false)).Outcome;
        }

        /// <summary>Play a stinger.</summary>
        public async Task<ControlOutcome> PostTriggerAsync(string stinger, ExitSourceAt at = ExitSourceAt.Unspecified)
        {
            var request = new PostTriggerRequest { Control = await HeaderAsync(at).ConfigureAwait(false), Trigger = stinger };
            return (await SteerAsync("PostTrigger", request, new PostTriggerResponse()).ConfigureAwait(false)).Outcome;
        }

        /// <summary>Go on after Pause, or bring a suspended session back.</summary>
        public async Task<ControlOutcome> PlayAsync()
        {
            var request = new PlayRequest { Control = await HeaderAsync().ConfigureAwait(false) };
            var answer = await SteerAsync("Play", request, new PlayResponse()).ConfigureAwait(false);
            _listening.GoOn();
            return answer.Outcome;
        }

        /// <summary>Stop generating; what is there is played out.</summary>
        public async Task<ControlOutcome> PauseAsync()
        {
            var request = new PauseRequest { Control = await HeaderAsync().ConfigureAwait(false) };
            return (await SteerAsync("Pause", request, new PauseResponse()).ConfigureAwait(false)).Outcome;
        }

        /// <summary>End the music.</summary>
        public async Task<ControlOutcome> StopAsync()
        {
            var request = new StopRequest { Control = await HeaderAsync().ConfigureAwait(false) };
            return (await SteerAsync("Stop", request, new StopResponse()).ConfigureAwait(false)).Outcome;
        }

        /// <summary>Forget what was played and begin afresh, without a click.</summary>
        public async Task<ControlOutcome> ResetContextAsync(long? seed = null)
        {
            var request = new ResetContextRequest { Control = await HeaderAsync().ConfigureAwait(false), Seed = seed };
            return (await SteerAsync("ResetContext", request, new ResetContextResponse()).ConfigureAwait(false)).Outcome;
        }

        /// <summary>For experts: play these texts and weights until the next transition; none: the soundtrack again.</summary>
        public async Task<ControlOutcome> SetWeightedPromptsAsync(
            IReadOnlyDictionary<string, float> prompts, double fadeSeconds = 2.0, float? guidance = null)
        {
            var request = new SetWeightedPromptsRequest
            {
                Control = await HeaderAsync().ConfigureAwait(false),
                FadeMs = (int)Math.Round(fadeSeconds * 1000.0),
                Guidance = guidance,
            };
            foreach (var pair in prompts) request.Prompts.Add(new WeightedPrompt { Text = pair.Key, Weight = pair.Value });
            return (await SteerAsync("SetWeightedPrompts", request, new SetWeightedPromptsResponse()).ConfigureAwait(false)).Outcome;
        }

        /// <summary>The session as it is now.</summary>
        public async Task<Session> GetAsync()
        {
            await CreatedAsync().ConfigureAwait(false);
            var request = new GetSessionRequest { SessionId = Id };
            return (await SendAsync("GetSession", request, new GetSessionResponse()).ConfigureAwait(false)).Session;
        }

        private async Task<ControlHeader> HeaderAsync(
            ExitSourceAt at = ExitSourceAt.Unspecified, IReadOnlyDictionary<string, double> set = null)
        {
            await CreatedAsync().ConfigureAwait(false);
            long playhead = Mixer.Playhead;
            var header = new ControlHeader
            {
                SessionId = Id,
                RequestId = Guid.NewGuid().ToString("N"),
                PlayheadSample = playhead < 0 ? (long?)null : playhead,
                ExitSourceAt = at,
                ListenerId = _listening.Reception.ListenerId,
            };
            if (set == null) return header;
            var change = new ParameterChange();
            foreach (var pair in set) change.Values.Add(new ParameterValue { Name = pair.Key, Value = pair.Value });
            header.Also.Add(new Change { Parameters = change });
            return header;
        }

        /// <summary>What a session that is begun anew is to begin with.</summary>
        private void Remember(IReadOnlyDictionary<string, double> values)
        {
            if (values == null) return;
            lock (_values)
                foreach (var pair in values) _values[pair.Key] = pair.Value;
        }

        /// <summary>Wait until there is a session to steer.</summary>
        private async Task CreatedAsync()
        {
            if (_created.Task.IsCompleted)
            {
                await _created.Task.ConfigureAwait(false);
                return;
            }
            var late = Task.Delay(_channel.Timeout, _stop.Token);
            if (await Task.WhenAny(_created.Task, late).ConfigureAwait(false) == late && !_created.Task.IsCompleted)
                throw new SegueException(StatusCode.Unavailable, "there is no session yet");
            await _created.Task.ConfigureAwait(false);
        }

        /// <summary>Send a control; while its session is being brought back, it waits for it.</summary>
        /// <param name="set">Parameters that it sets; or null.</param>
        private async Task<T> SteerAsync<T>(string method, IMessage request, T answer, IReadOnlyDictionary<string, double> set = null)
            where T : IMessage
        {
            try
            {
                answer = await SendAsync(method, request, answer).ConfigureAwait(false);
                Remember(set);
                return answer;
            }
            catch (SegueException error) when (Reception.IsPassing(error))
            {
                // A value that there is no way to tell is for whoever comes after; one that was refused is not.
                Remember(set);
                throw;
            }
        }

        private async Task<T> SendAsync<T>(string method, IMessage request, T answer)
            where T : IMessage
        {
            string id = Id;
            var since = Stopwatch.StartNew();
            for (int attempt = 1; ; attempt++)
            {
                try
                {
                    return await _channel.CallAsync(method, request, answer, Token, _stop.Token).ConfigureAwait(false);
                }
                catch (SegueException error) when ((error.IsUnknownSession || error.Code == StatusCode.Unavailable) && _listening.BringsBack && Id == id)
                {
                    // A suspended session that its server has lost meanwhile is brought back by whoever wants it.
                    if (error.IsUnknownSession) _listening.GoOn();
                    var pause = Backoff.Before(attempt);
                    if (pause > LongestPause) pause = LongestPause;
                    if (since.Elapsed + pause > _channel.Timeout) throw NotBack(error);
                    await Task.Delay(pause, _stop.Token).ConfigureAwait(false);
                }
            }
        }

        /// <summary>What to say instead of "no such session" where it may still come back.</summary>
        private static SegueException NotBack(SegueException error) => !error.IsUnknownSession
            ? error
            : new SegueException(StatusCode.Unavailable, "the session is not back yet: " + error.Message, error) { Reason = error.Reason };
    }
}
