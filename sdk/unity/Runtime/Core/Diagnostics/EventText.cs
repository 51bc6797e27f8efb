// SPDX-License-Identifier: Apache-2.0
using System.Globalization;
using Segue.Audio;
using Segue.V1;

namespace Segue
{
    /// <summary>Events of the music in a few words, for logs. Any thread.</summary>
    public static class EventText
    {
        /// <summary>Such as: transition explore → combat, 0.5 s.</summary>
        public static string Of(Event heard)
        {
            switch (heard.WhichDetail)
            {
                case Event.DetailCase.StateChanged:
                    return "state " + heard.StateChanged.FromState + " → " + heard.StateChanged.ToState;
                case Event.DetailCase.TransitionStarted:
                    var started = heard.TransitionStarted;
                    return "transition " + started.FromState + " → " + started.ToState + ", " + Seconds(started.LengthSamples)
                        + (started.Via.Length > 0 ? ", via " + started.Via : "");
                case Event.DetailCase.TransitionFinished:
                    return "transition to " + heard.TransitionFinished.ToState + (heard.TransitionFinished.Interrupted ? " interrupted" : " finished");
                case Event.DetailCase.TransitionCancelled:
                    return "transition to " + heard.TransitionCancelled.ToState + " cancelled: " + heard.TransitionCancelled.Reason;
                case Event.DetailCase.Beat:
                    return "beat " + heard.Beat.Beat_ + " of bar " + heard.Beat.Bar;
                case Event.DetailCase.Bar:
                    return "bar " + heard.Bar.Bar_;
                case Event.DetailCase.StingerStarted:
                    return "stinger " + heard.StingerStarted.Name;
                case Event.DetailCase.StingerFinished:
                    return "stinger " + heard.StingerFinished.Name + " finished";
                case Event.DetailCase.Rewound:
                    return "take " + heard.Take.ToString(CultureInfo.InvariantCulture) + " replaces "
                        + Seconds(heard.Rewound.ReplacedUntilSample - heard.Sample);
                case Event.DetailCase.Refreshed:
                    return "refreshed: " + heard.Refreshed.Cause.ToString().ToLowerInvariant();
                case Event.DetailCase.StatusChanged:
                    return "status " + heard.StatusChanged.Status.ToString().ToLowerInvariant();
                case Event.DetailCase.Adherence:
                    return "adherence " + heard.Adherence.Similarity.ToString("0.00", CultureInfo.InvariantCulture);
                case Event.DetailCase.ParameterChanged:
                    return "parameter " + heard.ParameterChanged.Name + " = " + heard.ParameterChanged.Value.ToString("0.###", CultureInfo.InvariantCulture);
                default:
                    return "an event of a later version";
            }
        }

        private static string Seconds(long samples) =>
            (samples / (double)SoundtrackMixer.SampleRate).ToString("0.0#", CultureInfo.InvariantCulture) + " s";
    }
}
